resource "aws_iam_user" "mantle_chat" {
  name = "mantle-chat"
}

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

resource "aws_iam_policy" "mantle_chat" {
  name        = "mantle-chat"
  description = "Chat: what it may do."
  policy      = data.aws_iam_policy_document.mantle_chat.json
}

resource "aws_iam_user_policy_attachment" "mantle_chat" {
  user       = aws_iam_user.mantle_chat.name
  policy_arn = aws_iam_policy.mantle_chat.arn
}

# The key itself is kept in the state, readable to whoever reads that.
# Needs a provider that knows Bedrock API keys: hashicorp/terraform-provider-aws pull request 44299.
resource "aws_iam_service_specific_credential" "mantle_chat" {
  user_name           = aws_iam_user.mantle_chat.name
  service_name        = "bedrock.amazonaws.com"
  credential_age_days = 30
}

output "mantle_chat_api_key" {
  description = "The Bedrock API key."
  value       = aws_iam_service_specific_credential.mantle_chat.service_credential_secret
  sensitive   = true
}
