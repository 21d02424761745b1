drop table previous_secrets;
