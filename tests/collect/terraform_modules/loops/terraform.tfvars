count_of = 2
projects = ["one"]
roles = {
  chat  = { actions = ["bedrock-mantle:CreateInference"], keys = true }
  audit = { actions = ["bedrock-mantle:Get*", "bedrock-mantle:List*"], keys = false }
}
