resource "aws_iam_policy" "p" {
  name   = "shared"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "bedrock-mantle:DeleteProject", Resource = "*" }] })
}
output "arn" {
  value = aws_iam_policy.p.arn
}
