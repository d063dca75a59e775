"""Reading the policies that bind a principal, from live accounts."""
