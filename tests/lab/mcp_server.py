#!/usr/bin/env python3
"""An MCP server over stdio with three tools: `add` works, `boom` always fails, `read` gives a file."""
import json
import sys

TOOLS = [
    {"name": "add", "description": "add two numbers",
     "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}},
    {"name": "read", "description": "read a file",
     "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}},
    {"name": "boom", "description": "always fails", "inputSchema": {"type": "object", "properties": {}}},
]


def result(method, params):
    if method == "initialize":
        return {"protocolVersion": params.get("protocolVersion", "2025-06-18"), "capabilities": {"tools": {}},
                "serverInfo": {"name": "demo", "version": "1.0"}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call" and params["name"] == "add":
        total = params["arguments"]["a"] + params["arguments"]["b"]
        return {"content": [{"type": "text", "text": str(total)}], "structuredContent": {"result": total}, "isError": False}
    if method == "tools/call" and params["name"] == "read":
        try:
            with open(params["arguments"]["path"]) as file:
                return {"content": [{"type": "text", "text": file.read()}], "isError": False}
        except OSError as error:
            return {"content": [{"type": "text", "text": str(error)}], "isError": True}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": "Error executing tool " + params["name"]}], "isError": True}
    return {}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": result(request["method"], request.get("params") or {})}
        print(json.dumps(answer), flush=True)
