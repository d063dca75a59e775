data "aws_iam_policy_document" "mantle_claude_code" {
  version = "2012-10-17"

  statement {
    sid    = "BedrockMantleProject"
    effect = "Allow"

    actions = [
      "bedrock-mantle:CountTokens",
      "bedrock-mantle:CreateInference",
    ]

    resources = [
      "arn:aws:bedrock-mantle:us-east-1:111122223333:project/*",
    ]
  }

  statement {
    sid    = "BedrockMantleCallWithBearerToken"
    effect = "Allow"

    actions = [
      "bedrock-mantle:CallWithBearerToken",
    ]

    resources = [
      "*",
    ]
  }

  statement {
    sid    = "AwsMarketplaceAnyResourceWithCalledViaLast"
    effect = "Allow"

    actions = [
      "aws-marketplace:Subscribe",
      "aws-marketplace:ViewSubscriptions",
    ]

    resources = [
      "*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:CalledViaLast"

      values = [
        "bedrock-mantle.amazonaws.com",
      ]
    }
  }
}

resource "aws_iam_policy" "mantle_claude_code" {
  name   = "mantle-claude-code"
  policy = data.aws_iam_policy_document.mantle_claude_code.json
}

variable "mantle_claude_code_roles" {
  description = "Names of the IAM roles that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_role_policy_attachment" "mantle_claude_code" {
  for_each = var.mantle_claude_code_roles

  role       = each.value
  policy_arn = aws_iam_policy.mantle_claude_code.arn
}

variable "mantle_claude_code_users" {
  description = "Names of the IAM users that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_user_policy_attachment" "mantle_claude_code" {
  for_each = var.mantle_claude_code_users

  user       = each.value
  policy_arn = aws_iam_policy.mantle_claude_code.arn
}

variable "mantle_claude_code_groups" {
  description = "Names of the IAM groups that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_group_policy_attachment" "mantle_claude_code" {
  for_each = var.mantle_claude_code_groups

  group      = each.value
  policy_arn = aws_iam_policy.mantle_claude_code.arn
}
