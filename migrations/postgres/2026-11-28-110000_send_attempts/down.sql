drop table send_attempts;
