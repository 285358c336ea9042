#!/usr/bin/python3
"""Writes aws_operations.json: for each operation that deploy/aws calls, what the real AWS command line says of it.

The name of the API's action, the options that it takes (and which of them it insists on), and the skeletons that it prints for
`--generate-cli-skeleton input` and `output`. The stand-in (aws_command_line.py) checks calls against the one and makes its
answers from the other. Run it after a new operation is used; it needs Debian's awscli (deploy/local/install-dependencies all):

    tests/deploy/make_operations.py
"""

import json
import pathlib
import re

from awscli import __version__
from awscli.botocore.utils import ArgumentGenerator
from awscli.clidriver import create_clidriver

FOLDER = pathlib.Path(__file__).resolve().parent
SCRIPTS = FOLDER.parent.parent / "deploy" / "aws"
SERVICES = ("ec2", "ssm", "iam", "sts", "kms")


def used_operations():
    """Pairs of service and operation, as the scripts spell them."""
    found = set()
    for script in SCRIPTS.glob("*.sh"):
        pattern = r"\b(%s) ((?:[a-z0-9]+-)+[a-z0-9]+)\b" % "|".join(SERVICES)
        found.update(re.findall(pattern, script.read_text()))
    return sorted(found)


def main():
    driver = create_clidriver()
    commands = driver.subcommand_table
    result = {"made_with": "aws-cli " + __version__, "operations": {}}
    for service, operation in used_operations():
        command = commands[service].subcommand_table.get(operation)
        if command is None:
            continue  # a word in a comment
        model = commands[service].service_model.operation_model(
            command._operation_model.name)  # pylint: disable=protected-access
        options = {}
        for name, argument in command.arg_table.items():
            if name.startswith("generate-cli") or name.startswith("cli-"):
                continue
            options[name] = {"required": bool(getattr(argument, "required", False)),
                             "type": getattr(argument, "cli_type_name", "string")}
            serialized = getattr(argument, "_serialized_name", None)
            if serialized:
                options[name]["member"] = serialized
        generator = ArgumentGenerator(use_member_names=True)
        result["operations"][service + " " + operation] = {
            "api": model.name,
            "options": options,
            "input": generator.generate_skeleton(model.input_shape) if model.input_shape else {},
            "output": generator.generate_skeleton(model.output_shape) if model.output_shape else {},
        }
    lines = ['{"made_with": %s, "operations": {' % json.dumps(result["made_with"])]
    entries = ["%s: %s" % (json.dumps(name), json.dumps(what, separators=(",", ":"), default=str))
               for name, what in result["operations"].items()]
    lines.append(",\n".join(entries))
    lines.append("}}\n")
    (FOLDER / "aws_operations.json").write_text("\n".join(lines))
    print(len(entries), "operations")


if __name__ == "__main__":
    main()
