"""What the demo plays: its cluster and app, its requests, its story and its promises."""
