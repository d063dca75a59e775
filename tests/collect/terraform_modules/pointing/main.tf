# Whom a policy is given to, where the plan knows only what an expression refers to.
variable "token" {
  default   = "never-shown"
  sensitive = true
}
variable "first" {
  default = true
}
locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }] })
  doc   = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "bedrock-mantle:CreateInference", Resource = "*" }] })
}
resource "aws_iam_role" "each" {
  for_each           = toset(["a", "b"])
  name               = "each-${each.key}"
  assume_role_policy = local.trust
}
resource "aws_iam_role_policy" "each" {
  for_each = aws_iam_role.each
  name     = "p"
  role     = each.value.id
  policy   = local.doc
}
resource "aws_iam_role" "one" {
  name               = "one"
  assume_role_policy = local.trust
}
resource "aws_iam_role" "other" {
  name               = "other"
  assume_role_policy = local.trust
}
resource "aws_iam_role" "third" {
  name               = "third"
  assume_role_policy = local.trust
}
# The plan sees two roles and that neither is known; and in a local, any at all.
resource "aws_iam_role_policy" "chosen" {
  name   = "p"
  role   = var.first ? aws_iam_role.other.id : aws_iam_role.one.id
  policy = local.doc
}
# How many there are, and at which place, only Terraform knows.
resource "aws_iam_role_policy" "counted" {
  count  = max(1, 1)
  name   = "counted"
  role   = [aws_iam_role.one.name, aws_iam_role.other.name][max(0, 0)]
  policy = local.doc
}
resource "aws_s3_bucket" "new" {}
data "aws_iam_policy_document" "deny" {
  statement {
    effect    = "Deny"
    actions   = ["bedrock-mantle:*"]
    resources = [aws_s3_bucket.new.arn]
  }
}
# Two texts that are not known yet; the one is no text of a data source.
resource "aws_iam_role_policy" "of_map" {
  for_each = { a = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "bedrock-mantle:GetModel", Resource = ["*", aws_s3_bucket.new.arn] }] }), b = data.aws_iam_policy_document.deny.json }
  name     = each.key
  role     = aws_iam_role.third.name
  policy   = each.value
}
resource "aws_iam_role" "numbers" {
  name               = "numbers"
  assume_role_policy = local.trust
}
resource "aws_iam_role_policy" "numbers" {
  name = "p"
  role = aws_iam_role.numbers.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = 1.0 == 1 ? "Allow" : "Deny", Action = "bedrock-mantle:CreateInference", Resource = "*" },
    { Effect = true == "true" ? "Deny" : "Allow", Action = "bedrock-mantle:ListModels", Resource = "*" },
    { Effect = "Deny", NotAction = [strrev("sledoMteG:eltnam-kcordeb"), "bedrock-mantle:CreateInference"], Resource = "*" },
    { Effect = "Allow", Action = "bedrock-mantle:GetModel", Resource = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/${01.50}" },
    { Effect = "Allow", Action = "bedrock-mantle:DeleteProject", Resource = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/${var.token}" },
  ] })
}
