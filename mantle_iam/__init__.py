"""mantle-iam: why Amazon Bedrock's Mantle endpoint refuses a key or a role, and the smallest policy that ends it."""

__version__ = "0.1.0"
"""Version of this package; a constant, because asking the installed metadata for it costs more than a whole command."""
