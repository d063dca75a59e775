data "aws_iam_policy_document" "mantle_chat" {
  version = "2012-10-17"

  statement {
    sid    = "BedrockMantleProject"
    effect = "Allow"

    actions = [
      "bedrock-mantle:CreateInference",
      "bedrock-mantle:ListModels",
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
}

resource "aws_iam_policy" "mantle_chat" {
  name   = "mantle-chat"
  policy = data.aws_iam_policy_document.mantle_chat.json
}

variable "mantle_chat_roles" {
  description = "Names of the IAM roles that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_role_policy_attachment" "mantle_chat" {
  for_each = var.mantle_chat_roles

  role       = each.value
  policy_arn = aws_iam_policy.mantle_chat.arn
}

variable "mantle_chat_users" {
  description = "Names of the IAM users that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_user_policy_attachment" "mantle_chat" {
  for_each = var.mantle_chat_users

  user       = each.value
  policy_arn = aws_iam_policy.mantle_chat.arn
}

variable "mantle_chat_groups" {
  description = "Names of the IAM groups that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_group_policy_attachment" "mantle_chat" {
  for_each = var.mantle_chat_groups

  group      = each.value
  policy_arn = aws_iam_policy.mantle_chat.arn
}
