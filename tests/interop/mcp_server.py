# An MCP server by the protocol's own Python library: on standard input and output, or, given a
# port, over HTTP.
import sys

from mcp.server.mcpserver import Context, Image, MCPServer

server = MCPServer("interop", version="1.0", instructions="Add with add.")


@server.tool(description="Adds two numbers")
def add(a: int, b: int = 10) -> int:
    return a + b


@server.tool()
def fail(why: str) -> str:
    raise ValueError(why)


@server.tool()
def picture() -> Image:
    return Image(data=b"12345", format="png")


@server.tool()
async def slow(steps: int, context: Context) -> str:
    for step in range(steps):
        await context.report_progress(step + 1, steps, "on it")
    return "done"


@server.tool()
async def trace(context: Context) -> str:
    meta = context.request_context.meta
    if hasattr(meta, "model_dump"):
        meta = meta.model_dump()
    return str((meta or {}).get("traceparent", "none"))


@server.tool()
async def wait_for_ever() -> str:
    import asyncio

    await asyncio.Event().wait()
    return "never"


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run("stdio")
