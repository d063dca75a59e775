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

resource "aws_organizations_policy" "mantle_chat" {
  name        = "mantle-chat"
  description = "Chat: what it may do."
  type        = "SERVICE_CONTROL_POLICY"
  content     = data.aws_iam_policy_document.mantle_chat.minified_json
}

resource "aws_organizations_policy_attachment" "mantle_chat" {
  for_each = toset([
    "r-ab12",
  ])

  policy_id = aws_organizations_policy.mantle_chat.id
  target_id = each.value
}
