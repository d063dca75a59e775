locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }] })
  allow = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "bedrock-mantle:CreateInference", Resource = "*" }] })
  deny  = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "bedrock-mantle:*", Resource = "*" }] })
}
resource "aws_iam_role" "r" {
  name                 = "r"
  assume_role_policy   = local.trust
  permissions_boundary = aws_iam_policy.allow.arn
}
resource "aws_iam_role" "old" {
  name                = "old"
  assume_role_policy  = local.trust
  managed_policy_arns = [aws_iam_policy.deny.arn, "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"]
  inline_policy {
    name   = "inside"
    policy = local.allow
  }
}
resource "aws_iam_user" "u" {
  for_each = toset(["ann", "bob"])
  name     = each.key
}
resource "aws_iam_group" "g" {
  name = "g"
}
resource "aws_iam_policy" "allow" {
  name   = "allow"
  policy = local.allow
}
resource "aws_iam_policy" "deny" {
  name   = "deny"
  policy = local.deny
}
resource "aws_iam_role_policy_attachment" "r" {
  for_each   = toset(["AmazonBedrockMantleInferenceAccess", "AmazonBedrockMantleReadOnly"])
  role       = aws_iam_role.r.name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}
resource "aws_iam_policy_attachment" "all" {
  name       = "all"
  policy_arn = aws_iam_policy.deny.arn
  users      = [for u in aws_iam_user.u : u.name]
  groups     = [aws_iam_group.g.name]
  roles      = [aws_iam_role.r.name]
}
resource "aws_iam_user_policy" "u" {
  name   = "u"
  user   = aws_iam_user.u["ann"].name
  policy = local.allow
}
resource "aws_iam_user_policy_attachment" "u" {
  user       = aws_iam_user.u["bob"].name
  policy_arn = aws_iam_policy.allow.arn
}
resource "aws_iam_group_policy" "g" {
  name   = "g"
  group  = aws_iam_group.g.name
  policy = local.allow
}
resource "aws_iam_group_policy_attachment" "g" {
  group      = aws_iam_group.g.name
  policy_arn = aws_iam_policy.allow.arn
}
resource "aws_iam_user_group_membership" "m" {
  user   = aws_iam_user.u["ann"].name
  groups = [aws_iam_group.g.name]
}
resource "aws_iam_group_membership" "m" {
  name  = "m"
  group = aws_iam_group.g.name
  users = [aws_iam_user.u["bob"].name]
}
resource "aws_iam_role_policy_attachments_exclusive" "x" {
  role_name   = aws_iam_role.r.name
  policy_arns = [aws_iam_policy.deny.arn, "arn:aws:iam::aws:policy/AmazonBedrockMantleInferenceAccess", "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"]
}
resource "aws_iam_service_specific_credential" "k" {
  service_name = "bedrock.amazonaws.com"
  user_name    = aws_iam_user.u["bob"].name
}
