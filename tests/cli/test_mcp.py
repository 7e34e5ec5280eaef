"""The server answers a client over stdin and stdout as the command line does, within its limits."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tamecheck.cli import main

PROPERTY = """(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 -1))
(assert (<= X_0 1))
(assert (>= Y_0 {}))
"""


@pytest.mark.slow
def test_a_client_asks_every_tool(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "served").mkdir()
    monkeypatch.chdir(tmp_path / "served")
    Path("p.vnnlib").write_text(PROPERTY.format(2))
    Path("p.lp").write_text("max\n o: x\nst\n c: 2 x <= 5\ngen\n x\nend\n")
    Path("row.json").write_text("[1, 1]")
    main(["convert", "-q", "--expr", "max(x,0)", "-o", "relu.json"])
    main(["convert", "-q", "--expr", "sign(x + 2*y)", "-o", "sign.json"])
    (tmp_path / "secret.json").write_text("{}")
    capsys.readouterr()
    questions = [
        ("check", {"expression": "sin(x)"}, ["--expr", "sin(x)"]),
        ("check", {"model": "relu.json", "box": "-1:1"}, ["relu.json", "--box", "-1:1"]),
        ("verify", {"model": "relu.json", "spec": "p.vnnlib"}, ["relu.json", "p.vnnlib"]),
        (
            "explain",
            {"model": "sign.json", "input": "row.json", "domain": "-1,1"},
            ["sign.json", "--input", "row.json", "--domain", "-1,1"],
        ),
        ("diff", {"expression": "max(x,0)", "at": "x=0"}, ["--expr", "max(x,0)", "--at", "x=0"]),
        ("solve", {"program": "p.lp"}, ["p.lp"]),
        ("check", {"expression": "max(x"}, ["--expr", "max(x"]),
    ]
    found, refused, late = asyncio.run(_ask([(verb, given) for verb, given, _ in questions]))
    assert [answer["exit_code"] for answer in found] == [1, 0, 0, 0, 0, 0, 2]
    for answer, (verb, _, arguments) in zip(found, questions, strict=True):
        code = main([verb, *arguments, "--json"])
        expected = json.loads(capsys.readouterr().out)
        assert answer.pop("exit_code") == code
        assert answer.keys() == {k for k in expected if k != "exit_code"}
        for key in ("verdict", "structure", "status", "features", "vertices", "error"):
            assert answer.get(key) == expected.get(key)
    assert "outside of the folder" in refused["error"]
    assert late["exit_code"] == 3


async def _ask(questions):
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tamecheck", "mcp", "--timeout", "20"],
        env=dict(os.environ),
    )
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["check", "verify", "explain", "diff", "solve"]
        assert all(tool.description for tool in tools)
        found = [await _one(client, verb, given) for verb, given in questions]
        outside = await _one(client, "check", {"model": "../secret.json"})
        hard = {"expression": "sin(x*sin(x))*sin(x)", "seconds": 0.1}
        return found, outside, await _one(client, "check", hard)


async def _one(client, verb, given):
    result = await client.call_tool(verb, given)
    assert not result.is_error
    return json.loads(result.content[0].text)


def test_a_folder_that_is_not_there_is_refused(capsys):
    assert main(["mcp", "--root", "nowhere"]) == 2
    assert "no such folder" in capsys.readouterr().err
