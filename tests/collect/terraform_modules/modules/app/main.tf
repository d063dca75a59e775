variable "name" {}
variable "actions" {
  type = list(string)
}
variable "resources" {
  type    = list(string)
  default = ["*"]
}
module "trust" {
  source  = "../trust"
  service = "lambda.amazonaws.com"
}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = var.actions
    resources = var.resources
  }
}
resource "aws_iam_role" "r" {
  name               = var.name
  assume_role_policy = module.trust.json
}
resource "aws_iam_role_policy" "p" {
  name   = "p"
  role   = aws_iam_role.r.id
  policy = data.aws_iam_policy_document.d.json
}
output "role_name" {
  value = aws_iam_role.r.name
}
