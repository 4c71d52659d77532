"""The API behind the front: FastAPI on uvicorn, and the page that documents it."""
