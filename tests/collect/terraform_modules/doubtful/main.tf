resource "aws_s3_bucket" "b" {}
variable "enabled" {
  type    = bool
  default = false
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["bedrock-mantle:CreateInference"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalTag/bucket"
      values   = [aws_s3_bucket.b.arn]
    }
  }
  statement {
    effect    = "Deny"
    actions   = ["bedrock-mantle:*"]
    resources = ["*"]
    dynamic "condition" {
      for_each = var.enabled ? ["a"] : []
      content {
        test     = "StringEquals"
        variable = "aws:PrincipalTag/x"
        values   = [condition.value]
      }
    }
  }
}
resource "aws_iam_role" "r" {
  name                 = "r"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = "arn:aws:iam::111122223333:policy/elsewhere"
}
resource "aws_iam_role_policy" "p" {
  name   = "p"
  role   = aws_iam_role.r.name
  policy = data.aws_iam_policy_document.d.json
}
resource "aws_iam_role" "s" {
  name               = "s"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_role_policy_attachment" "s" {
  role       = aws_iam_role.s.name
  policy_arn = "arn:aws:iam::111122223333:policy/elsewhere"
}
resource "aws_iam_role_policy_attachment" "admin" {
  role       = "outside"
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
