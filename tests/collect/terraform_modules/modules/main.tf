variable "teams" {
  type    = map(list(string))
  default = { red = ["bedrock-mantle:CreateInference"], blue = ["bedrock-mantle:Get*"] }
}
module "app" {
  source  = "./app"
  name    = "app"
  actions = ["bedrock-mantle:CreateInference"]
}
module "team" {
  source   = "./app"
  for_each = var.teams
  name     = "team-${each.key}"
  actions  = each.value
}
module "off" {
  source  = "./app"
  count   = 0
  name    = "off"
  actions = ["*"]
}
module "policy" {
  source = "./policy"
}
resource "aws_iam_role_policy_attachment" "app" {
  role       = module.app.role_name
  policy_arn = module.policy.arn
}
resource "aws_iam_role_policy_attachment" "red" {
  role       = module.team["red"].role_name
  policy_arn = module.policy.arn
}
