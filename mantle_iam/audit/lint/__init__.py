"""The rules by which one policy document, or a principal with its keys, is criticised: ``engine.py`` runs ``registry.py``'s.

Pure: what was read from files, accounts and templates comes as records of ``iam.inventory``.
"""
