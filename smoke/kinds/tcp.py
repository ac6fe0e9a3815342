"""TCP: a port that accepts connections."""

from smoke.addresses import connect
from smoke.context import Context, answering
from smoke.spec import TcpCheck
from smoke.target import Finding


async def check(spec: TcpCheck, context: Context) -> Finding:
    host = context.host(spec.host)
    async with answering(context.time_limit, f"{host}:{spec.port} did not answer"):
        connection = await connect(host, spec.port)
    connection.close()
    return Finding(message=f"{host}:{spec.port} accepts connections")
