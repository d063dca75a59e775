variable "roles" {
  type = list(object({
    name    = string
    actions = optional(list(string), ["bedrock-mantle:Get*"])
    path    = optional(string)
    admin   = optional(bool, false)
  }))
  default = [{ name = "b" }, { name = "a", actions = ["bedrock-mantle:CreateInference"], path = "/x/", admin = true }]
}
variable "create" {
  type    = bool
  default = true
}
variable "names" {
  type    = set(string)
  default = ["z", "y"]
}
variable "nothing" {
  default = null
}
locals {
  by_name = { for role in var.roles : role.name => role }
  admins  = [for role in var.roles : role.name if role.admin]
  tags    = merge({ team = "x" }, { owner = upper("y") })
  first   = try(var.roles[5].name, var.roles[0].name, "none")
  statements = concat(
    [{ Effect = "Allow", Action = "bedrock-mantle:ListModels", Resource = "*" }],
    var.create ? [{ Effect = "Deny", Action = "bedrock-mantle:DeleteProject", Resource = "*" }] : [],
    var.nothing == null ? [] : [{ Effect = "Allow", Action = "*", Resource = "*" }],
  )
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
resource "aws_iam_role" "r" {
  for_each           = local.by_name
  name               = each.key
  path               = coalesce(each.value.path, "/default/")
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = local.tags
}
resource "aws_iam_policy" "p" {
  count  = var.create ? 1 : 0
  name   = "p-${local.first}-${length(var.roles)}"
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}
resource "aws_iam_role_policy_attachment" "p" {
  for_each   = toset([for name in local.admins : name if length(local.admins) > 0])
  role       = aws_iam_role.r[each.value].id
  policy_arn = one(aws_iam_policy.p[*].arn)
}
resource "aws_iam_role_policy" "own" {
  for_each = { for name, role in local.by_name : name => role.actions }
  name     = format("own-%s", each.key)
  role     = aws_iam_role.r[each.key].name
  policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = each.value, Resource = formatlist("arn:aws:bedrock-mantle:*:*:project/%s", tolist(var.names)) }] })
}
resource "aws_iam_role" "joined" {
  count              = 1
  name               = join("-", ["j", replace("a_b", "_", "."), lower("C")])
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_role_policy_attachment" "joined" {
  count      = length(aws_iam_role.joined)
  role       = join("", aws_iam_role.joined[*].name)
  policy_arn = element(concat(aws_iam_policy.p[*].arn, [""]), 0)
}
resource "aws_iam_role_policies_exclusive" "x" {
  role_name    = aws_iam_role.joined[0].name
  policy_names = []
}
