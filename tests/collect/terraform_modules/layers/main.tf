resource "aws_organizations_policy" "scp" {
  name    = "no-mantle"
  content = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = ["bedrock-mantle:*"], Resource = "*" }] })
}
resource "aws_organizations_policy" "rcp" {
  name    = "rcp"
  type    = "RESOURCE_CONTROL_POLICY"
  content = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Principal = "*", Action = ["s3:*"], Resource = "*", Condition = { Bool = { "aws:SecureTransport" = "false" } } }] })
}
resource "aws_organizations_policy" "tags" {
  name    = "tags"
  type    = "TAG_POLICY"
  content = "{}"
}
resource "aws_organizations_policy_attachment" "a" {
  policy_id = aws_organizations_policy.scp.id
  target_id = "ou-abcd-11111111"
}
resource "aws_vpc" "v" {
  cidr_block = "10.0.0.0/16"
}
data "aws_region" "current" {}
resource "aws_vpc_endpoint" "e" {
  vpc_id            = aws_vpc.v.id
  service_name      = "com.amazonaws.${data.aws_region.current.name}.bedrock-mantle"
  vpc_endpoint_type = "Interface"
  policy            = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = ["bedrock-mantle:CreateInference"], Resource = "*" }] })
}
resource "aws_vpc_endpoint" "s3" {
  vpc_id       = aws_vpc.v.id
  service_name = "com.amazonaws.us-east-1.s3"
  policy       = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = ["s3:*"], Resource = "*" }] })
}
resource "aws_vpc_endpoint" "plain" {
  vpc_id            = aws_vpc.v.id
  service_name      = "com.amazonaws.us-east-1.bedrock-mantle"
  vpc_endpoint_type = "Interface"
}
resource "aws_vpc_endpoint_policy" "p" {
  vpc_endpoint_id = aws_vpc_endpoint.plain.id
  policy          = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = ["bedrock-mantle:Get*"], Resource = "*" }] })
}
resource "aws_vpc_endpoint_policy" "s3" {
  vpc_endpoint_id = aws_vpc_endpoint.s3.id
  policy          = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = ["s3:Get*"], Resource = "*" }] })
}
resource "aws_ssoadmin_permission_set" "ps" {
  name         = "Mantle"
  instance_arn = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
}
resource "aws_ssoadmin_permission_set_inline_policy" "i" {
  instance_arn       = aws_ssoadmin_permission_set.ps.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.ps.arn
  inline_policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["bedrock-mantle:CreateInference"], Resource = "*" }] })
}
resource "aws_ssoadmin_managed_policy_attachment" "m" {
  instance_arn       = aws_ssoadmin_permission_set.ps.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.ps.arn
  managed_policy_arn = "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"
}
resource "aws_ssoadmin_customer_managed_policy_attachment" "c" {
  instance_arn       = aws_ssoadmin_permission_set.ps.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.ps.arn
  customer_managed_policy_reference {
    name = aws_iam_policy.c.name
    path = "/"
  }
}
resource "aws_iam_policy" "c" {
  name   = "customer"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["bedrock-mantle:*"], Resource = "*" }] })
}
resource "aws_ssoadmin_permissions_boundary_attachment" "b" {
  instance_arn       = aws_ssoadmin_permission_set.ps.instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.ps.arn
  permissions_boundary {
    customer_managed_policy_reference {
      name = aws_iam_policy.c.name
    }
  }
}
