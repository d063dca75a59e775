variable "service" {}
data "aws_iam_policy_document" "t" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [var.service]
    }
  }
}
output "json" {
  value = data.aws_iam_policy_document.t.json
}
