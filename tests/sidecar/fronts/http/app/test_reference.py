"""The reference that shows the OpenAPI document."""

from sidegate_sidecar.fronts.http.app.reference import page_of


def test_what_the_document_says_is_shown_as_text() -> None:
    call = {"summary": "<b>", "tags": ["t"], "responses": {"200": {"description": "<i>"}}}
    page = page_of(
        {
            "info": {"description": "<script>alert(1)</script> `<u>`"},
            "tags": [{"name": "t", "description": "&"}],
            "paths": {"/<p>": {"get": call}},
            "components": {"schemas": {}},
        }
    )
    for tag in ("<b>", "<i>", "<script>", "<u>", "/<p>"):
        assert tag not in page
    assert "<code>&lt;u&gt;</code>" in page
