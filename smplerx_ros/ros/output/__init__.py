"""Publishers: from people to messages."""
