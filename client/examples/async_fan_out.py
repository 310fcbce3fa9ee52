# %% [markdown]
# # Many tasks at once, without Qiskit
#
# The asynchronous client submits a hundred programs side by side and takes each result when it is
# there. Nothing polls: the service answers when a task has ended.

# %%
import asyncio
import random

from quantumtasks_client import AsyncClient

PROGRAM = """\
OPENQASM 3.0;
include "stdgates.inc";
qubit[{width}] q;
bit[{width}] c;
h q[0];
for int i in [1:{width} - 1] {{ cx q[i - 1], q[i]; }}
c = measure q;
"""


async def ghz(client: AsyncClient, width: int) -> tuple[int, float]:
    """The width, and how often all qubits agreed on 1."""
    task = await client.submit(PROGRAM.format(width=width), shots=500, tags=["fan-out"])
    ended = await client.wait(task)
    return width, ended.counts.get("1" * width, 0) / 500


async def main() -> None:
    widths = [random.randint(2, 20) for _ in range(100)]
    async with AsyncClient() as client:
        all_of_them = asyncio.as_completed([ghz(client, width) for width in widths])
        for done, next_one in enumerate(all_of_them, start=1):
            width, ones = await next_one
            if done % 20 == 0:
                print(f"{done} of {len(widths)} done; {width} qubits: {ones:.2f} ones")


asyncio.run(main())
