data "aws_ssoadmin_instances" "mantle_chat" {}

data "aws_iam_policy_document" "mantle_chat" {
  version = "2012-10-17"

  statement {
    sid    = "Chat"
    effect = "Allow"

    actions = [
      "bedrock-mantle:CreateInference",
      "bedrock-mantle:ListModels",
    ]

    resources = [
      "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalTag/team"

      values = [
        "$${aws:ResourceTag/team}",
      ]
    }
  }
}

# Who gets it where: aws_ssoadmin_account_assignment.
resource "aws_ssoadmin_permission_set" "mantle_chat" {
  name         = "mantle-chat"
  description  = "Chat: what it may do."
  instance_arn = tolist(data.aws_ssoadmin_instances.mantle_chat.arns)[0]
}

resource "aws_ssoadmin_permission_set_inline_policy" "mantle_chat" {
  instance_arn       = aws_ssoadmin_permission_set.mantle_chat.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.mantle_chat.arn
  inline_policy      = data.aws_iam_policy_document.mantle_chat.json
}
