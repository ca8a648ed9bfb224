"""Topics made, and read to their end."""

from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

SECONDS = 30.0


def create(brokers: str, topic: str, partitions: int) -> None:
    """Create a topic, on one replica."""
    admin: Any = AdminClient({"bootstrap.servers": brokers, "log_level": 0})  # its futures are of no declared type
    admin.create_topics([NewTopic(topic, partitions, 1)], request_timeout=SECONDS)[topic].result(SECONDS)


def read_all(brokers: str, topic: str) -> list[tuple[bytes, bytes]]:
    """Keys and values of every message that the topic holds now, each partition in its order.

    Raises TimeoutError when the brokers do not answer for SECONDS.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "reader",  # demanded, though no group is joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        unread, found = set(partitions), list[tuple[bytes, bytes]]()
        while unread:
            message = consumer.poll(SECONDS)
            if message is None:
                raise TimeoutError(f"no message or end from {brokers} within {SECONDS:g} s; unread are {unread}")
            if (error := message.error()) is None:
                found.append((_bytes(message.key()), _bytes(message.value())))
            elif error.code() == KafkaError._PARTITION_EOF:  # pyright: ignore[reportPrivateUsage]: librdkafka's own name
                unread.discard(message.partition() or 0)
        return found
    finally:
        consumer.close()


def _bytes(part: str | bytes | None) -> bytes:
    assert isinstance(part, bytes)
    return part
