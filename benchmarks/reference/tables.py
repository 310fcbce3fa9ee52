"""Tasks and their history, and the connections to PostgreSQL and RabbitMQ."""

import asyncio
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import aio_pika
from sqlalchemy import DateTime, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

QUEUE = "reference_tasks"


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True), str: Text, dict[str, Any]: JSONB}


class StatusChange(Base):
    __tablename__ = "status_changes"
    __table_args__ = (Index("status_changes_task", "task_id", "changed_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tasks.id"))
    status: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(default=now)


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    circuit: Mapped[str]
    shots: Mapped[int]
    correlation_id: Mapped[str]
    status: Mapped[str]
    submitted_at: Mapped[datetime] = mapped_column(default=now, index=True)
    completed_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    history: Mapped[list[StatusChange]] = relationship(order_by=StatusChange.changed_at)


def move(session: AsyncSession, task: Task, status: str) -> None:
    """Into a new status, with its line of history."""
    task.status = status
    session.add_all([task, StatusChange(task_id=task.id, status=status)])


def engine(connections: int) -> AsyncEngine:
    return create_async_engine(
        os.environ["REFERENCE_DATABASE_URL"], pool_size=connections, max_overflow=0
    )


async def open_queue(
    connection: aio_pika.abc.AbstractConnection, *, prefetch: int = 0
) -> tuple[aio_pika.abc.AbstractChannel, aio_pika.abc.AbstractQueue]:
    """A channel with publisher confirms, and the durable quorum queue."""
    channel = await connection.channel(publisher_confirms=True)
    await channel.set_qos(prefetch_count=prefetch)
    arguments = {"x-queue-type": "quorum"}
    return channel, await channel.declare_queue(QUEUE, durable=True, arguments=arguments)


async def create() -> None:
    database = engine(connections=1)
    async with database.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(create())
