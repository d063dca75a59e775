data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:root"]
    }
  }
}
data "aws_iam_policy_document" "d" {
  for_each = var.roles
  statement {
    actions   = each.value.actions
    resources = [for p in var.projects : "arn:aws:bedrock-mantle:*:111122223333:project/${p}"]
  }
  dynamic "statement" {
    for_each = each.value.keys ? [1] : []
    content {
      effect    = "Allow"
      actions   = ["bedrock-mantle:CallWithBearerToken"]
      resources = ["*"]
    }
  }
  dynamic "statement" {
    for_each = var.projects
    iterator = project
    content {
      sid       = "Deny${project.key}"
      effect    = "Deny"
      actions   = ["bedrock-mantle:DeleteProject"]
      resources = ["arn:aws:bedrock-mantle:*:*:project/${project.value}"]
      dynamic "condition" {
        for_each = { "aws:RequestedRegion" = "eu-west-1" }
        content {
          test     = "StringEquals"
          variable = condition.key
          values   = [condition.value]
        }
      }
    }
  }
}
resource "aws_iam_role" "r" {
  for_each           = var.roles
  name               = "r-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_role_policy" "p" {
  for_each = var.roles
  name     = "p"
  role     = aws_iam_role.r[each.key].name
  policy   = data.aws_iam_policy_document.d[each.key].json
}
resource "aws_iam_role" "optional" {
  count              = var.enabled ? 1 : 0
  name               = "optional"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_user" "n" {
  count = var.count_of
  name  = "n${count.index}"
}
resource "aws_iam_user_policy" "n" {
  count  = length(aws_iam_user.n)
  name   = "n"
  user   = aws_iam_user.n[count.index].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "bedrock-mantle:CreateInference", Resource = "arn:aws:bedrock-mantle:*:*:project/n${count.index + 1}" }] })
}
resource "aws_iam_user_policy_attachment" "all" {
  for_each   = { for user in aws_iam_user.n : user.name => user }
  user       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"
}
