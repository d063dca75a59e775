resource "aws_kms_key" "k" {}
resource "aws_s3_bucket" "b" {}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["bedrock-mantle:CreateInference"]
    resources = ["*"]
  }
  statement {
    actions   = ["kms:Decrypt", "s3:GetObject"]
    resources = [aws_kms_key.k.arn, "${aws_s3_bucket.b.arn}/*"]
  }
  statement {
    effect    = "Deny"
    actions   = ["*"]
    resources = ["${aws_s3_bucket.b.arn}/secret/*"]
  }
}
resource "aws_iam_role" "r" {
  name_prefix        = "app-"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_role_policy" "p" {
  role   = aws_iam_role.r.id
  policy = data.aws_iam_policy_document.d.json
}
resource "aws_iam_role_policy_attachment" "basic" {
  role       = aws_iam_role.r.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}
resource "aws_iam_role" "j" {
  name               = "j"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_role_policy" "j" {
  name = "j"
  role = aws_iam_role.j.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.k.arn },
    { Effect = "Allow", Action = "bedrock-mantle:*", Resource = "*" }]
  })
}
