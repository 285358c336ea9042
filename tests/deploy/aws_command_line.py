"""The command line `aws` without what is behind it: what it takes (aws_operations.json), and how it prints."""

import json
import pathlib
import re
import sys

try:
    import jmespath
except ImportError:  # another Python than the distribution's; the module is pure
    sys.path.append("/usr/lib/python3/dist-packages")
    import jmespath

KNOWN = json.loads((pathlib.Path(__file__).parent / "aws_operations.json").read_text())["operations"]
GLOBAL = {"query", "output", "region"}


class Refused(Exception):
    """What AWS would answer with an error."""

    def __init__(self, code, message, status=254):
        super().__init__("\nAn error occurred (%s): %s\n" % (code, message))
        self.status = status


class Wrong(Exception):
    """A call that the real command line would not take. Never to be seen."""


def shorthand(text):
    """Key=Value,Key=a,b: as far as the scripts use it."""
    if text[:1] in "[{":
        return json.loads(text)
    result, key = {}, None
    for part in text.split(","):
        if "=" in part:
            key, value = part.split("=", 1)
            result[key] = value
        else:
            result[key] += "," + part
    return result


def check_members(value, skeleton, where):
    """Every member of `value` is one of the skeleton's."""
    if isinstance(value, dict) and isinstance(skeleton, dict):
        for key, inner in value.items():
            if key not in skeleton and "KeyName" not in skeleton and skeleton:
                raise Wrong("%s has no member %s" % (where, key))
            check_members(inner, skeleton.get(key, {}), where + "." + key)
    elif isinstance(value, list):
        if not isinstance(skeleton, list):
            raise Wrong("%s is no list" % where)
        for inner in value:
            check_members(inner, skeleton[0], where + "[]")
    elif isinstance(skeleton, (dict, list)) and skeleton:
        raise Wrong("%s is a structure" % where)


def parse(arguments):
    """(operation, options) of a command line. Options as given; JSON and shorthand are read."""
    if len(arguments) < 2 or " ".join(arguments[:2]) not in KNOWN:
        raise Wrong("unknown operation: " + " ".join(arguments[:2]))
    name = " ".join(arguments[:2])
    known = KNOWN[name]
    options, at = {}, 2
    while at < len(arguments):
        word = arguments[at]
        if not word.startswith("--"):
            raise Wrong("%s: a word too many: %s" % (name, word))
        option, at = word[2:], at + 1
        values = []
        while at < len(arguments) and not arguments[at].startswith("--"):
            values.append(arguments[at])
            at += 1
        if option in GLOBAL:
            options[option] = values[0]
            continue
        if option not in known["options"]:
            raise Wrong("%s does not know --%s" % (name, option))
        options[option] = read_value(name, option, known, values)
    for option, what in known["options"].items():
        if what["required"] and option not in options:
            raise Wrong("%s needs --%s" % (name, option))
    return name, options


def read_value(name, option, known, values):
    what = known["options"][option]
    kind = what["type"]
    skeleton = known["input"].get(what.get("member", ""))
    if kind == "boolean":
        if values:
            raise Wrong("%s --%s takes no value" % (name, option))
        return True
    if not values or (kind != "list" and len(values) != 1):
        raise Wrong("%s --%s: %d values" % (name, option, len(values)))
    values = [pathlib.Path(v[7:]).read_text() if v.startswith("file://") else v for v in values]
    if kind in ("string", "integer", "blob"):
        return values[0]
    if kind in ("structure", "map"):
        value = shorthand(values[0])
        if kind == "structure":
            check_members(value, skeleton, "%s --%s" % (name, option))
        return value
    if values[0][:1] == "[":
        value = json.loads(values[0])
        check_members(value, skeleton, "%s --%s" % (name, option))
        return value
    if isinstance(skeleton[0], dict):
        value = [shorthand(v) for v in values]
        for item in value:
            for key in item:
                if key not in skeleton[0]:
                    raise Wrong("%s --%s has no member %s" % (name, option, key))
                if isinstance(skeleton[0][key], list):
                    item[key] = item[key].split(",")
        return value
    return values


def shaped(skeleton, value, where=""):
    """`value` in the shape of the skeleton: what it lacks is absent, as AWS leaves it out; what the real one has not is an error."""
    if isinstance(skeleton, dict) and isinstance(value, dict):
        for key in value:
            if key not in skeleton:
                raise Wrong("the real answer has no member %s.%s" % (where, key))
        return {key: shaped(skeleton[key], inner, where + "." + key) for key, inner in value.items()}
    if isinstance(skeleton, list) and isinstance(value, list):
        return [shaped(skeleton[0], inner, where + "[]") for inner in value]
    if isinstance(skeleton, (dict, list)) or isinstance(value, (dict, list)):
        raise Wrong("the real answer has another shape at " + where)
    return value


def query_fits(query, skeleton):
    """A query that finds nothing in a skeleton asks for members that do not exist (filters aside)."""
    plain = re.sub(r"\[\?[^]]*\]", "[]", query)
    plain = plain.replace("[]|[0]", "[0]")
    found = jmespath.search(plain, skeleton)

    def has_null(value):
        return value is None or isinstance(value, list) and (not value or any(has_null(v) for v in value))
    if has_null(found):
        raise Wrong("the query %s asks for what the answer does not have" % query)


def as_text(value):
    """How the command line prints with --output text."""
    def word(scalar):
        return "None" if scalar is None else str(scalar)
    if isinstance(value, list):
        if any(isinstance(item, list) for item in value):
            return "".join(as_text(item) for item in value)
        return "\t".join(word(item) for item in value) + "\n" if value else ""
    if isinstance(value, dict):
        raise Wrong("a structure printed as text")
    return word(value) + "\n"


READING = ("describe-", "get-", "list-")


def is_reading(arguments):
    return arguments[1].startswith(READING)
