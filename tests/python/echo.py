"""The official OpenAI SDK against the program: plain, streaming, with usage, with errors, twenty at once."""

import asyncio
import sys

import openai

BASE_URL = sys.argv[1]
MESSAGES = [{"role": "user", "content": "one two three"}]


def client(**options):
    return openai.OpenAI(base_url=BASE_URL, api_key="unused", **options)


def plain():
    answer = client().chat.completions.create(model="echo", messages=MESSAGES)
    assert answer.choices[0].message.content == "one two three", answer
    assert answer.choices[0].finish_reason == "stop", answer
    assert answer.usage.total_tokens == 6, answer
    assert answer._request_id.startswith("req_"), answer._request_id


def streaming():
    stream = client().chat.completions.create(model="echo", messages=MESSAGES, stream=True)
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "one two three", text
    assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
    assert chunks[-1].choices[0].finish_reason == "stop", chunks[-1]
    assert len({chunk.id for chunk in chunks}) == 1, chunks


def usage():
    options = {"include_usage": True}
    stream = client().chat.completions.create(model="echo", messages=MESSAGES, stream=True, stream_options=options)
    last = list(stream)[-1]
    assert last.choices == [] and last.usage.total_tokens == 6, last


def errors():
    try:
        client().chat.completions.create(model="echo", messages=[{"role": "boss", "content": "x"}])
        raise AssertionError("a bad role is refused")
    except openai.BadRequestError as error:
        assert error.param == "messages[0].role" and "system, developer, user" in error.message, error
    try:
        client().models.retrieve("nothing")
        raise AssertionError("an unknown model is refused")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error


def models():
    listed = [model.id for model in client().models.list()]
    assert listed == ["echo"], listed
    assert client().models.retrieve("echo").id == "echo"


async def at_once():
    each = openai.AsyncOpenAI(base_url=BASE_URL, api_key="unused")

    async def ask(number):
        messages = [{"role": "user", "content": f"question {number}"}]
        stream = await each.chat.completions.create(model="echo", messages=messages, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert text == f"question {number}", text

    await asyncio.gather(*(ask(number) for number in range(20)))


plain()
streaming()
usage()
errors()
models()
asyncio.run(at_once())
print("the SDK is content with", openai.__version__)
