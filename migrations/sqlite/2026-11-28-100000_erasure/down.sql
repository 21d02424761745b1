drop index callbacks_repeated;
