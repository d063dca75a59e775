"""mantle-iam: why Amazon Bedrock's Mantle endpoint refuses a key or a role, and the smallest policy that ends it."""
