"""Inquiries: what people and scripts ask, of keys and for reports."""
