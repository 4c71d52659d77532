"""What other libraries' own tests say of ours."""
