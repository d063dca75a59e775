"""Templates as AWS's own library for SAM reads and transforms them.

    python sam_read.py < {"NAME": "YAML OR JSON TEXT", …} > {"NAME": {…}, …}

A template with a transform comes back as the CloudFormation template that it stands for.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse


def read(text: str) -> Any:
    """The template in ``text``, transformed where it says so."""
    template = yaml_parse(text)
    if "Transform" not in template:
        return template
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # The translator takes code that is uploaded already.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    return Translator({}, Parser()).translate(template, {"AWS::Region": "eu-west-1", "AWS::Partition": "aws"})


if __name__ == "__main__":
    json.dump({name: read(text) for name, text in json.load(sys.stdin).items()}, sys.stdout)
