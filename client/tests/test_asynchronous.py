"""The asynchronous client does what the blocking one does."""

import asyncio
import inspect
import secrets

import pytest

from quantumtasks_client import AsyncClient, Client, ProgramError
from tests.site import BELL, BROKEN, LINE, ROTATION, Site


def test_both_clients_have_the_same_methods() -> None:
    def face(kind: type) -> dict[str, list[inspect.Parameter]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(method).parameters.values())
            for name, method in methods
            if not name.startswith("_")
        }

    assert face(AsyncClient) == face(Client)


def test_it_works(site: Site) -> None:
    tag = secrets.token_hex(8)

    async def main() -> None:
        async with AsyncClient(site.url, site.token) as client:
            task = await client.wait(await client.submit(BELL, shots=10))
            assert sum(task.counts.values()) == 10
            assert (await client.get(task)).counts == task.counts
            with pytest.raises(ProgramError):
                await client.wait(await client.submit(BROKEN))
            batch = await client.submit_batch([BELL] * 3, tags=[tag])
            found = [element.index async for element in client.results(batch)]
            assert found == [0, 1, 2]
            listed = [each.task_id async for each in client.list(tag=tag, page_size=2)]
            assert sorted(listed) == sorted(batch.task_ids)
            (one,) = await client.sweep(ROTATION, [{"theta": 0}], shots=10)
            assert one.counts == {"0": 10}
            value = await client.estimate(BELL, [{"ZZ": 1}])
            assert value.expectation_values == pytest.approx([1])
            assert (await client.queue()).workers >= 1
            assert LINE in {each.name for each in await client.backends()}
            assert (await client.backend(LINE)).qubits == 5
        assert repr(client) == f"AsyncClient({site.url!r})"

    asyncio.run(main())


def test_a_stream_left_early_is_closed(site: Site) -> None:
    async def main() -> None:
        async with AsyncClient(site.url, site.token) as client:
            batch = await client.submit_batch([BELL] * 3)
            elements = client.results(batch)
            assert (await anext(elements)).index == 0
            await elements.aclose()
            assert (await client.get_batch(batch)).ended

    asyncio.run(main())
