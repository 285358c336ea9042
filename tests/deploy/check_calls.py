#!/usr/bin/python3
"""Reads a JSON list of argument lists and has the real AWS command line check each, offline. Prints what it refuses."""

import contextlib
import io
import json
import os
import sys

from awscli.clidriver import create_clidriver


class Answer:  # pylint: disable=too-few-public-methods
    """An HTTP response that says nothing."""

    status_code = 200
    headers = {}


def driver_that_calls_nobody():
    driver = create_clidriver()
    # Comes after all checks, and instead of the request.
    driver.session.register("before-call", lambda **_: (Answer(), {}))
    return driver


os.environ.update(AWS_DEFAULT_REGION="eu-central-1", AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none",
                  AWS_EC2_METADATA_DISABLED="true")
refused = 0
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = driver_that_calls_nobody().main(arguments)
        except SystemExit as end:
            status = end.code
    if status != 0:
        refused += 1
        print(status, " ".join(arguments), err.getvalue(), out.getvalue()[:500])
sys.exit(1 if refused else 0)
