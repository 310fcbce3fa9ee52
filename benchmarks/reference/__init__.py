"""The same job written with FastAPI, SQLAlchemy, asyncpg, aio-pika and Qiskit Aer.

What `make bench` compares the service with: as much as it takes to accept, store, queue, run and
show a task the usual way, written and tuned with care, and nothing more. It keeps none of the
service's promises about lost messages and dead workers.
"""
