#!/usr/bin/env python3
"""Makes a topic of a Kafka broker, or prints its messages as they come, one a line in base64.

    kafka.py topic BROKER NAME
    kafka.py read BROKER NAME
"""

import base64
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def make_topic(broker, name):
    admin = AdminClient({"bootstrap.servers": broker})
    for made in admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)]).values():
        made.result(30)


def read(broker, name):
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "tests",
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 32_000_000,
        }
    )
    consumer.assign([TopicPartition(name, 0, 0)])
    while True:
        message = consumer.poll(1.0)
        if message is not None and not message.error():
            print(base64.b64encode(message.value()).decode(), flush=True)


if __name__ == "__main__":
    {"topic": make_topic, "read": read}[sys.argv[1]](sys.argv[2], sys.argv[3])
