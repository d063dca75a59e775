data "aws_iam_policy_document" "mantle_pods_trust" {
  version = "2012-10-17"

  statement {
    effect = "Allow"

    principals {
      type = "Service"

      identifiers = [
        "pods.eks.amazonaws.com",
      ]
    }

    actions = [
      "sts:AssumeRole",
      "sts:TagSession",
    ]
  }
}

resource "aws_iam_role" "mantle_pods" {
  name               = "mantle-pods"
  assume_role_policy = data.aws_iam_policy_document.mantle_pods_trust.json
}

data "aws_iam_policy_document" "mantle_pods" {
  version = "2012-10-17"

  statement {
    sid    = "Chat"
    effect = "Allow"

    actions = [
      "bedrock-mantle:CreateInference",
      "bedrock-mantle:ListModels",
    ]

    resources = [
      "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalTag/team"

      values = [
        "$${aws:ResourceTag/team}",
      ]
    }
  }
}

resource "aws_iam_role_policy" "mantle_pods" {
  name   = "mantle-pods"
  role   = aws_iam_role.mantle_pods.name
  policy = data.aws_iam_policy_document.mantle_pods.json
}

variable "mantle_pods_cluster_name" {
  description = "Name of the EKS cluster."
  type        = string
}

variable "mantle_pods_service_account" {
  description = "Kubernetes service account."
  type        = string
}

resource "aws_eks_pod_identity_association" "mantle_pods" {
  cluster_name    = var.mantle_pods_cluster_name
  namespace       = "ml"
  service_account = var.mantle_pods_service_account
  role_arn        = aws_iam_role.mantle_pods.arn
}

output "mantle_pods_arn" {
  description = "ARN of the role."
  value       = aws_iam_role.mantle_pods.arn
}
