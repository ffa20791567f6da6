"""The official OpenAI SDK through the program to a model server that follows scripts: the model's name says which."""

import sys
import time

import openai

BASE_URL = sys.argv[1]
MESSAGES = [{"role": "user", "content": "one two three"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def ask(model, retries=0, **options):
    client = openai.OpenAI(base_url=BASE_URL, api_key="unused", max_retries=retries)
    return client.chat.completions.create(model=model, messages=MESSAGES, **options)


def fails(error, call):
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"no {error}")


def whole():
    answer = ask("good")
    assert answer.choices[0].message.content == "tok0 tok1 tok2 tok3 ", answer
    assert answer.usage.completion_tokens == 4, answer


def streamed():
    options = {"include_usage": True}
    chunks = list(ask("good", stream=True, stream_options=options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "tok0 tok1 tok2 tok3 ", text
    assert chunks[-1].usage.completion_tokens == 4, chunks[-1]


def tools():
    """The SDK's own accumulator puts the pieces of a call together, and refuses what does not fit."""
    client = openai.OpenAI(base_url=BASE_URL, api_key="unused", max_retries=0)
    with client.chat.completions.stream(model="tools", messages=MESSAGES, tools=[WEATHER]) as stream:
        answer = stream.get_final_completion()
    call = answer.choices[0].message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Ulm"}'), call
    assert answer.choices[0].finish_reason == "tool_calls", answer


def failures():
    error = fails(openai.InternalServerError, lambda: ask("busy"))
    assert (error.status_code, error.code) == (502, "upstream_error"), error
    error = fails(openai.BadRequestError, lambda: ask("refused"))
    assert error.response.headers["x-should-retry"] == "false", error.response.headers


def broken():
    """A stream that breaks raises: its tokens are never taken for an answer."""
    heard = []

    def listen():
        for chunk in ask("broken", stream=True):
            heard.append(chunk)

    error = fails(openai.APIError, listen)
    assert heard and error.code.startswith("upstream_"), (heard, error.code)


def left():
    """A client that goes away in the middle is no failure of anybody; the next is served."""
    with ask("endless", stream=True) as stream:
        next(iter(stream))
    whole()


def impatient():
    began = time.monotonic()
    fails(openai.APITimeoutError, lambda: ask("endless", timeout=0.5))
    assert time.monotonic() - began < 30


def limited():
    """The last case, since the worker rests after it as long as it asked."""
    error = fails(openai.RateLimitError, lambda: ask("limited"))
    assert error.response.headers["retry-after"] == "7", error.response.headers
    error = fails(openai.RateLimitError, lambda: ask("good"))
    assert 1 <= int(error.response.headers["retry-after"]) <= 7, error.response.headers


for case in [whole, streamed, tools, failures, broken, left, impatient, limited]:
    case()
print("the SDK is content with", openai.__version__)
