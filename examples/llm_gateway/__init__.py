"""An LLM gateway: tokens a minute and a day by API key and model, and few streams at a time.

pip install "..[sidecar]"         # FastAPI, uvicorn and httpx2 come along
uvicorn llm_gateway.model_server:app --port 8001      # in another terminal: a made-up model
sidegate dev -- uvicorn llm_gateway.gateway:app       # the gateway, and a sidecar beside it

curl -iN localhost:8000/v1/chat/completions -H "authorization: Bearer sk-ann" \
    -d '{"model": "parrot", "stream": true, "messages": [{"role": "user", "content": "say 30"}]}'
"""
