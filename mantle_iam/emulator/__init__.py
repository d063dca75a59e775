"""A local Mantle endpoint with IAM: keys, signatures and policies are checked, no model runs.  Needs the extra ``emulator``."""
