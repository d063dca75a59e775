variable "env" {
  type    = string
  default = "prod"
}
variable "models" {
  type    = list(string)
  default = ["openai.gpt-oss-120b", "openai.gpt-oss-20b"]
}
locals {
  infer   = ["bedrock-mantle:CreateInference", "bedrock-mantle:Get*"]
  project = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/${var.env}"
  trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "Infer"
    actions   = local.infer
    resources = [local.project, "${local.project}-2"]
    condition {
      test     = "StringEquals"
      variable = "bedrock-mantle:Model"
      values   = var.models
    }
  }
  statement {
    sid       = "Keys"
    actions   = ["bedrock-mantle:CallWithBearerToken"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "no_keys" {
  statement {
    sid       = "Keys"
    effect    = "Deny"
    actions   = ["bedrock-mantle:CallWithBearerToken"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "all" {
  source_policy_documents   = [data.aws_iam_policy_document.base.json, file("${path.module}/list.json")]
  override_policy_documents = [data.aws_iam_policy_document.no_keys.json]
  statement {
    not_actions = ["bedrock-mantle:*"]
    resources   = ["*"]
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalTag/team"
      values   = ["a-*"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalTag/owner"
      values   = ["&{aws:username}"]
    }
  }
}
resource "aws_iam_role" "app" {
  name               = "app-${var.env}"
  path               = "/apps/"
  assume_role_policy = local.trust
}
resource "aws_iam_role_policy" "rendered" {
  name   = "rendered"
  role   = aws_iam_role.app.id
  policy = data.aws_iam_policy_document.all.json
}
resource "aws_iam_role_policy" "encoded" {
  name = "encoded"
  role = aws_iam_role.app.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for model in var.models : {
        Effect    = "Allow"
        Action    = ["bedrock-mantle:CreateInference"]
        Resource  = "*"
        Condition = { StringEquals = { "bedrock-mantle:Model" = model } }
      }
    ]
  })
}
resource "aws_iam_role_policy" "heredoc" {
  name   = "heredoc"
  role   = aws_iam_role.app.name
  policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Effect": "Allow", "Action": "bedrock-mantle:ListModels", "Resource": "arn:aws:bedrock-mantle:*:*:project/${var.env}"}
      ]
    }
  EOT
}
resource "aws_iam_role_policy" "template" {
  name   = "template"
  role   = aws_iam_role.app.name
  policy = templatefile("${path.module}/policy.json.tftpl", { project = local.project, actions = local.infer })
}
