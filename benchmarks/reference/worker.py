"""Runs tasks one after the other: `python -m benchmarks.reference.worker`, once for each core."""

import asyncio
import os
import uuid
from typing import Any

import aio_pika
from qiskit import qasm2, qasm3, transpile
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from benchmarks.reference.log import correlation_id, log
from benchmarks.reference.tables import Task, engine, move, now, open_queue

DEFAULTS = "REFERENCE_DEFAULTS" in os.environ  # as the libraries' guides show it, nothing tuned
# One thread a process: with Aer's default the processes fight over the cores and take longer.
SIMULATOR = AerSimulator(max_parallel_threads=0 if DEFAULTS else 1)
PASSES = generate_preset_pass_manager(optimization_level=0, backend=SIMULATOR)


def simulate(program: str, shots: int) -> dict[str, Any]:
    circuit = qasm3.loads(program) if "OPENQASM 3" in program else qasm2.loads(program)
    compiled = transpile(circuit, SIMULATOR) if DEFAULTS else PASSES.run(circuit)
    counts = SIMULATOR.run(compiled, shots=shots).result().get_counts()
    return {"counts": counts, "shots": shots}


async def run(task_id: uuid.UUID, sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions.begin() as session:
        task = await session.get(Task, task_id, with_for_update=True)
        if task is None or task.status != "pending":
            return
        move(session, task, "processing")
    log("task_processing", task_id=str(task_id))
    try:
        result, error = await asyncio.to_thread(simulate, task.circuit, task.shots), None
    except Exception as failure:  # whatever is wrong with the circuit
        result, error = None, str(failure)
    async with sessions.begin() as session:
        task.result, task.error, task.completed_at = result, error, now()
        move(session, task, "completed" if error is None else "failed")
    log(f"task_{task.status}", task_id=str(task_id))


async def main() -> None:
    sessions = async_sessionmaker(engine(connections=2), expire_on_commit=False)
    connection = await aio_pika.connect_robust(os.environ["RABBITMQ_URL"])
    async with connection:
        _, queue = await open_queue(connection, prefetch=4)
        async with queue.iterator() as messages:
            async for message in messages:
                correlation_id.set(message.correlation_id or "")
                async with message.process(requeue=True):
                    await run(uuid.UUID(bytes=message.body), sessions)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
