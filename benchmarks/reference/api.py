"""POST a task, GET a task: `uvicorn benchmarks.reference.api:app --workers 2`."""

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import aio_pika
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import selectinload
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.reference.log import correlation_id, log
from benchmarks.reference.tables import QUEUE, Task, engine, move, open_queue

CONNECTIONS = 8  # of a process, as many as an API process of the service holds


def openqasm(circuit: str) -> str:
    if "OPENQASM" not in circuit or "\0" in circuit:
        raise ValueError("An OpenQASM program starts with its version.")
    return circuit


class NewTask(BaseModel):
    model_config = ConfigDict(extra="forbid")

    circuit: Annotated[str, Field(min_length=1, max_length=1_048_576), AfterValidator(openqasm)]
    shots: int = Field(default=1024, ge=1, le=1_000_000)


class AcceptedTask(BaseModel):
    task_id: uuid.UUID
    status: str
    submitted_at: datetime
    message: str = "Task submitted successfully."


class Change(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    status: str
    changed_at: datetime


class ShownTask(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    task_id: uuid.UUID = Field(validation_alias="id")
    status: str
    submitted_at: datetime
    completed_at: datetime | None
    shots: int
    result: dict[str, Any] | None
    error: str | None
    history: list[Change]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    database = engine(CONNECTIONS)
    app.state.sessions = async_sessionmaker(database, expire_on_commit=False)
    connection = await aio_pika.connect_robust(os.environ["RABBITMQ_URL"])
    async with connection:
        app.state.channel, _ = await open_queue(connection)
        yield
    await database.dispose()


async def new_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


class Correlate:
    """Gives each request an id, the client's if it sent one, returns it and logs the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start = time.perf_counter()
        given = Headers(scope=scope).get("x-correlation-id", "")[:128]
        correlation_id.set(given if given.isprintable() and given else str(uuid.uuid4()))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Correlation-ID"] = correlation_id.get()
                fields = {"method": scope["method"], "path": scope["path"]}
                seconds = round(time.perf_counter() - start, 4)
                log("request", **fields, status=message["status"], seconds=seconds)
            await send(message)

        return await self._app(scope, receive, answer)


Session = Annotated[AsyncSession, Depends(new_session)]
app = FastAPI(lifespan=lifespan)
app.add_middleware(Correlate)


@app.post("/tasks", status_code=202)
async def submit(new: NewTask, request: Request, session: Session) -> AcceptedTask:
    async with session.begin():
        task = Task(
            id=uuid.uuid4(),
            circuit=new.circuit,
            shots=new.shots,
            correlation_id=correlation_id.get(),
        )
        move(session, task, "pending")
    message = aio_pika.Message(
        task.id.bytes,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        correlation_id=task.correlation_id,
    )
    # Returns when RabbitMQ has confirmed the message.
    await request.app.state.channel.default_exchange.publish(message, routing_key=QUEUE)
    log("task_accepted", task_id=str(task.id))
    return AcceptedTask(task_id=task.id, status=task.status, submitted_at=task.submitted_at)


@app.get("/tasks/{task_id}")
async def show(task_id: uuid.UUID, session: Session) -> ShownTask:
    query = select(Task).where(Task.id == task_id).options(selectinload(Task.history))
    task = await session.scalar(query)
    if task is None:
        raise HTTPException(404, "There is no such task.")
    return ShownTask.model_validate(task)
