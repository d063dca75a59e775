data "aws_iam_policy_document" "mantle_projects" {
  version = "2012-10-17"

  statement {
    sid    = "BedrockMantleProject"
    effect = "Allow"

    actions = [
      "bedrock-mantle:ArchiveProject",
      "bedrock-mantle:CreateProject",
      "bedrock-mantle:GetProject",
      "bedrock-mantle:ListProjects",
      "bedrock-mantle:ListTagsForResource",
      "bedrock-mantle:TagResource",
      "bedrock-mantle:UntagResource",
      "bedrock-mantle:UpdateProject",
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

resource "aws_iam_policy" "mantle_projects" {
  name   = "mantle-projects"
  policy = data.aws_iam_policy_document.mantle_projects.json
}

variable "mantle_projects_roles" {
  description = "Names of the IAM roles that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_role_policy_attachment" "mantle_projects" {
  for_each = var.mantle_projects_roles

  role       = each.value
  policy_arn = aws_iam_policy.mantle_projects.arn
}

variable "mantle_projects_users" {
  description = "Names of the IAM users that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_user_policy_attachment" "mantle_projects" {
  for_each = var.mantle_projects_users

  user       = each.value
  policy_arn = aws_iam_policy.mantle_projects.arn
}

variable "mantle_projects_groups" {
  description = "Names of the IAM groups that get this policy."
  type        = set(string)
  default     = []
}

resource "aws_iam_group_policy_attachment" "mantle_projects" {
  for_each = var.mantle_projects_groups

  group      = each.value
  policy_arn = aws_iam_policy.mantle_projects.arn
}
