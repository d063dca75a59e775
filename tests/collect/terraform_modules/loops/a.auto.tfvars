projects = ["one", "two"]
